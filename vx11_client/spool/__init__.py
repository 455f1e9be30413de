"""WHERE DO RECORDS WAIT UNTIL THEY ARE PUBLISHED? In segments on the disk, with a checksum each.

`disk_queue.Spool` is the door: one thread appends, one reads, and what was published is deleted in whole segments.
docs/adr/0026-a-spool-of-our-own.md says why it is ours.
"""
