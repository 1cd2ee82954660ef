"""The forms in which a lead makes a study and changes it, with plain words for each choice."""
