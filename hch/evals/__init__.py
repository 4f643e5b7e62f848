"""What evaluations are measured with: grades, intervals, laws, correlation, comparison."""
