"""The status page: its own process, beside the command line. It reads what is published and judges nothing."""
