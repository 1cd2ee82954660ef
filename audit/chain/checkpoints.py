"""Signed heads of the audit trail, kept outside the database so that a rewrite or a cut shows."""

import json
from dataclasses import asdict, dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.chain.canonical import VERSION_BYTE, canonical_json

# Keeps a signature of a checkpoint from ever being taken for a signature of something else.
PURPOSE = b"parfocal audit checkpoint\n"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a chain at a time: where the chain lives, its last number and hash, UTC time."""

    origin: str
    seq: int
    head_hash: str
    at: str


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with its Ed25519 signature and the public key, both in hexadecimal."""

    checkpoint: Checkpoint
    signature: str
    public_key: str


def public_key(private_key: bytes) -> bytes:
    """The 32 bytes of the Ed25519 public key that belongs to a 32-byte private key."""
    return _private(private_key).public_key().public_bytes_raw()


def sign_checkpoint(checkpoint: Checkpoint, private_key: bytes) -> SignedCheckpoint:
    """The checkpoint signed with a 32-byte Ed25519 private key (any 32 random bytes are one)."""
    signature = _private(private_key).sign(_message(checkpoint))
    return SignedCheckpoint(checkpoint, signature.hex(), public_key(private_key).hex())


def is_signed_by(signed: SignedCheckpoint, trusted_key: bytes) -> bool:
    """True when the signature was made by the owner of `trusted_key` over exactly this checkpoint.

    The key must come from a place that is trusted; the key inside `signed` proves nothing by itself.
    """
    key = Ed25519PublicKey.from_public_bytes(_sized(trusted_key, "public"))
    try:
        key.verify(bytes.fromhex(signed.signature), _message(signed.checkpoint))
    except (InvalidSignature, ValueError):
        # ValueError: a signature that is not hexadecimal, or content no signer could have written.
        return False
    return True


def checkpoint_line(signed: SignedCheckpoint) -> str:
    """One line of JSON for the file of checkpoints (no line end)."""
    return canonical_json(asdict(signed)).decode("utf-8")


def parse_checkpoint(line: str) -> SignedCheckpoint:
    """The signed checkpoint in one line of the file; anything else raises ValueError."""
    try:
        record = json.loads(line)
        signed = SignedCheckpoint(Checkpoint(**record["checkpoint"]), record["signature"], record["public_key"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "this line is not a signed checkpoint; restore the file of checkpoints from its copy"
        ) from error
    _check_types(signed)
    return signed


def _check_types(signed: SignedCheckpoint) -> None:
    mark = signed.checkpoint
    texts = (mark.origin, mark.head_hash, mark.at, signed.signature, signed.public_key)
    if type(mark.seq) is not int or not all(isinstance(text, str) for text in texts):
        raise ValueError("a signed checkpoint needs a whole number `seq` and text elsewhere")


def _message(checkpoint: Checkpoint) -> bytes:
    return PURPOSE + VERSION_BYTE + canonical_json(asdict(checkpoint))


def _private(key: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_sized(key, "private"))


def _sized(key: bytes, which: str) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"the {which} key has {len(key)} bytes; an Ed25519 key has {KEY_BYTES}")
    return key
