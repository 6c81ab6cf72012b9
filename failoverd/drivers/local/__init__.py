"""Lock, epoch, journal and published records in files of one machine: for a single manager, without a standby."""
