"""Takes labels of other tools into a study: what a file would bring, and then all of it or nothing."""
