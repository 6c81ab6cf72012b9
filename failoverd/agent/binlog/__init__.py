"""MySQL's binary and relay log files, read without MySQL and in constant memory."""
