"""Attacks, schedules, verification and transfer."""
