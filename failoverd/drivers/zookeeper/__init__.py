"""Lock, epoch, journal and published records in ZooKeeper, on plain kazoo primitives."""
