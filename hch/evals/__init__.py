"""What evaluations are measured with: grades, intervals, laws, correlation, comparison."""

MOST = 100_000
"""The most questions that are put in one go, each sample of one counted."""
