"""The wire protocol: ZMTP, messages, validation of answers, and frames sent in pieces."""
