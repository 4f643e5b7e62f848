"""How a run is looked at: its tree as rows, and the browser for the terminal."""
