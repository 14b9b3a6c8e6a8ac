"""Labelled images, held on one device as one tensor."""
