"""What goes over the wire: ZMTP, messages, answers, and frames sent in chunks."""
