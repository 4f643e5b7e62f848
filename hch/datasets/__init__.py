"""From runs to datasets: rows chosen, cleaned, split and written, with where each is from."""
