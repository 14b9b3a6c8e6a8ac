"""What defences at test time are made of: codecs, geometry, pools, averages, surrogates."""
