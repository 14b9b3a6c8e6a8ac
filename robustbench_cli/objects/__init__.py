"""What a notebook brings, objects instead of texts, becomes what everything else works on.

kinds      the types that public functions take, by name
specs      plugins of one's own, classes and lists of them -> the text that stands for them
data       arrays, tensors, torch data sets and loaders -> a file below runs/.arrays, and its spec
naming     by which name a network can be made again, if any
networks   an `nn.Module`, a checkpoint file, a path -> a run

What comes from an object is kept under a digest of it, so that a stored result never speaks of
another one.
"""
