"""Tables as files: for the screen and papers (`table`), for other programs (`document`)."""
