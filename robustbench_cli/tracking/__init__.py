"""Telling experiment trackers: epochs while a run trains, results and pictures afterwards.

tracker    the contract; an adapter is one file in trackers/
memory     what a tracker was told of a run, beside the run's record
telling    one tracker, one run: whatever goes wrong there costs a warning
publish    the results of a run that a tracker does not know yet

A tracker's package is imported when something is told, by its adapter and nowhere else.
"""
