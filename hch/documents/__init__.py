"""Files of answers that others made, read as finished runs: labelled questions, rated steps."""
