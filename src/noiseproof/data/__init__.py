"""Data sets in the layouts that users have on disk. Nothing here runs code from a data file."""

from __future__ import annotations

from noiseproof.data._arrays import arrays
from noiseproof.data._cells import TEXT_TABLES, read_cells, rewrite_cells
from noiseproof.data._cifar import cifar10, cifar100
from noiseproof.data._clothing1m import clothing1m
from noiseproof.data._columns import CategoryColumn, DateColumn, LeftOut, NumberColumn
from noiseproof.data._dataset import Dataset, Part
from noiseproof.data._decode import Unreadable, arrays_on_a_canvas, decode_batch
from noiseproof.data._digits import digits
from noiseproof.data._duplicates import duplicates, row_hashes
from noiseproof.data._encoding import TableEncoding
from noiseproof.data._features import standardized
from noiseproof.data._files import ImageFiles
from noiseproof.data._human import cifarn
from noiseproof.data._label_list import LabelList, label_list, read_label_list
from noiseproof.data._listed import image_folder, image_lists
from noiseproof.data._matching import match_labels
from noiseproof.data._memory import from_table, in_memory
from noiseproof.data._preprocessing import Embedding, Preprocessing
from noiseproof.data._scores import NormalScores
from noiseproof.data._table import TABLES, Table, missing, read_table, table_of
from noiseproof.data._unlabeled import Unlabeled, read_unlabeled, unlabeled_arrays
from noiseproof.data._webvision import webvision_mini

__all__ = [
    "TABLES",
    "TEXT_TABLES",
    "CategoryColumn",
    "Dataset",
    "DateColumn",
    "Embedding",
    "ImageFiles",
    "LabelList",
    "LeftOut",
    "NormalScores",
    "NumberColumn",
    "Part",
    "Preprocessing",
    "Table",
    "TableEncoding",
    "Unlabeled",
    "Unreadable",
    "arrays",
    "arrays_on_a_canvas",
    "cifar10",
    "cifar100",
    "cifarn",
    "clothing1m",
    "decode_batch",
    "digits",
    "duplicates",
    "from_table",
    "image_folder",
    "image_lists",
    "in_memory",
    "label_list",
    "match_labels",
    "missing",
    "read_cells",
    "read_label_list",
    "read_table",
    "read_unlabeled",
    "rewrite_cells",
    "row_hashes",
    "standardized",
    "table_of",
    "unlabeled_arrays",
    "webvision_mini",
]
