"""Learners: from what was answered to an agent, one file each."""
