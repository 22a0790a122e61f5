"""Everything that depends on Qt's version or event loop: slots, translation, the connection."""
