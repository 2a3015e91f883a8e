"""Foreign data sets in, one kind of folder out: `import_dataset`.

A module a format, each with a class that recognises the format by its content and reads it row by
row; a bad row is refused with file, row and reason and never ends the import. `dataset` runs them,
`source` and `pictures` guard the files, `record` judges the boxes, `sheet` sends them through the
model's own letterbox.

What is stored is the record (`model.records`); chat turns are derived from it by
`examples.example_of`, and turns that people wrote are kept inside it word for word.
"""

from model.training.importers.dataset import FORMATS, import_dataset, read_lines
from model.training.importers.examples import example_of, stored_turns
from model.training.importers.report import ImportReport

__all__ = ["FORMATS", "ImportReport", "example_of", "import_dataset", "read_lines", "stored_turns"]
