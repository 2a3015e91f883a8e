"""From a folder of boxes to a better checkpoint: import, train, evaluate, compare, export, merge.

`importers/` reads foreign data sets, `split` divides them, the rest is the training loop. The page
never imports this room; it starts `python -m model.training` as a process of its own.
"""
