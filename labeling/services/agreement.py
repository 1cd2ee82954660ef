"""The agreement report of a study: kept as one row, computed by a worker, read by pages.

`report_of(study)` gives the newest report with its freshness and never computes. The shape of its `data` is
`labeling.agreement.shape.AgreementData`.
"""
