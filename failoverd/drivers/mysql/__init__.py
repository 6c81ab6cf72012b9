"""MySQL: sessions with deadlines, dialects, rows."""
