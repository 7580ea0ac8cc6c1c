"""A clinic that does not exist: deterministic files for the demo, for tests and for benchmarks.

Nobody here is real. Addresses lie in the reserved domains example.org, .com and .net (RFC 2606), telephone
numbers in the ranges kept free for films (Bundesnetzagentur, Mitteilung 148/2021). What ``ingest`` must say about
the files is counted here by other code than the one that reads them, so the two can be compared.
"""

from lifecycle.sources.made_up.bulk import write_records, write_webpush
from lifecycle.sources.made_up.clinic import Clinic, write_clinic
from lifecycle.sources.made_up.files import FileCounts

__all__ = ["Clinic", "FileCounts", "write_clinic", "write_records", "write_webpush"]
