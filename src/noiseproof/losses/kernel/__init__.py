"""What turns a definition into a value and a gradient, for a batch.

========================================= ============================================================================
:mod:`.probabilities`                     what a definition is a function of
:mod:`.reductions`, :mod:`.shards`        sums over the classes, of one process or of several
:mod:`.rows`, :mod:`.leading`             statistics of a block of rows, and the forms that are made of these
:mod:`.form`                              what a loss comes to there: a value that adds and scales, and its gradient
:mod:`.batch`                             shapes, kinds of labels, weights and reduction, as PyTorch has them
:mod:`.evaluate`                          a batch, block by block, for autograd
========================================= ============================================================================
"""
