"""SSH to the database hosts: connections with strict host keys, and the agents that are spoken to over them."""
