"""What a record may hold: contract files, structure, value checks, the second opinion, findings."""
