"""Every interval and summary that a report prints is made here, from plain numbers.

intervals  Wilson's for a share of samples, Student's t for a mean over seeds, Welch's for a ratio
curves     the area under a decay curve with its interval, the epsilon at half accuracy
paired     two networks on the same samples: paired bootstrap, McNemar
"""
