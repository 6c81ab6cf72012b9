"""The MySQL servers: sessions, one read per look, claims under which anything is changed. Begin at `servers`."""
