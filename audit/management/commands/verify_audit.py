"""`manage.py verify_audit`: is the audit trail as it was written?"""

from typing import Any

from django.core.management.base import CommandError

from audit import services
from audit.chain import checkpoints
from audit.chain.verify import verify
from audit.management.base import Answer, JsonCommand
from audit.models import AuditEvent


class Command(JsonCommand):
    """Check the chain of audit events and its signed heads; exit code 1 names the first damaged event."""

    help = __doc__

    def answer(self, **options: Any) -> Answer:
        try:
            marks, forged = _trusted_checkpoints()
        except ValueError as error:
            raise CommandError(f"audit_checkpoints.jsonl in the data folder: {error}.") from error
        problems = verify(services.chain(), marks)
        return {
            "ok": not problems and not forged,
            "events": AuditEvent.objects.count(),
            "checkpoints": len(marks),
            "problems": [
                {"kind": str(problem.kind), "sequence": problem.seq, "message": problem.message}
                for problem in problems
            ]
            + [
                {
                    "kind": "BAD_SIGNATURE",
                    "sequence": sequence,
                    "message": "a checkpoint's signature is not ours",
                }
                for sequence in forged
            ],
        }

    def failed(self, answer: Answer) -> bool:
        return not answer["ok"]

    def describe(self, answer: Answer) -> str:
        if answer["ok"]:
            return f"{answer['events']} events and {answer['checkpoints']} checkpoints are as they were written."
        return "\n".join(problem["message"] for problem in answer["problems"])


def _trusted_checkpoints() -> tuple[list[checkpoints.Checkpoint], list[int]]:
    key = checkpoints.public_key(services.signing_key())
    trusted, forged = [], []
    for signed in services.signed_checkpoints():
        if checkpoints.is_signed_by(signed, key):
            trusted.append(signed.checkpoint)
        else:
            forged.append(signed.checkpoint.seq)
    return trusted, forged
