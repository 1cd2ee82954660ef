"""What went wrong with an image or a manifest: the thing, the rule it breaks and the way out."""


class ImageError(ValueError):
    """Base of every refusal: names the thing, the rule and the way out, and never a server path."""

    def __init__(self, name: str, rule: str, remedy: str = "") -> None:
        # All three go to `args`, so the error survives pickling between worker processes.
        super().__init__(name, rule, remedy)
        self.name = name
        self.rule = rule
        self.remedy = remedy

    def __str__(self) -> str:
        """Return one sentence or two: `name: rule. Way out.`"""
        text = f"{self.name}: {self.rule}" if self.name else self.rule
        return f"{text}. {self.remedy}." if self.remedy else f"{text}."


class UnreadableImage(ImageError):
    """The file is not an image that can be read completely and safely."""


class ManifestError(ImageError):
    """The manifest as a whole cannot be used (single bad rows are listed, not raised)."""
