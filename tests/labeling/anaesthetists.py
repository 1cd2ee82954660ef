"""The reads of Dawid and Skene 1979, applied statistics 28: five anaesthetists, one of whom read thrice."""

from labeling.agreement.table import ReadTable, from_long

# Dawid and Skene 1979, table 1: 45 patients; the first observer three times, then observers 2 to 5.
PATIENTS = """
111 1111/333 4334/112 2122/222 3121/222 3222/222 3322/122 2111/333 3433/222 2223/232 2223/444 4444/222 3343/111 1111
222 3212/121 1111/111 2111/111 1111/111 1111/222 2221/222 1322/222 2222/222 2221/222 3222/221 2222/111 1111/111 1111
232 2222/111 1111/111 1111/112 1121/111 1111/333 3233/111 1111/222 2222/222 3232/433 4343/221 2232/232 3233/333 3432
111 1111/111 1111/121 2111/232 2222/121 1111/222 2222"""


def anaesthetists() -> ReadTable:
    rows = []
    for number, patient in enumerate(PATIENTS.strip().replace("\n", "/").split("/"), start=1):
        first, others = patient.split()
        rows += [(str(number), "1", label) for label in first]
        rows += [(str(number), str(reader), label) for reader, label in enumerate(others, start=2)]
    return from_long(rows)
