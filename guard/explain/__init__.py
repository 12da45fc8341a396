"""`guard explain`: the chain of evidence about one node, in words, numbers and small charts."""
