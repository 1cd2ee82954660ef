"""One acquisition strategy per file. To add one, put a file here that holds one function of the file's name.

The function takes a PoolView and returns one finite score per crop of the pool, float32; a higher score means "ask
a person first". Its docstring's first line is what a lead reads when choosing. A file may also say which currency of
the herd its picks are taken in (`HERDING_CURRENCY`); without one, crops are asked in the order of their scores.
"""
