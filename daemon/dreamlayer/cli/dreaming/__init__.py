"""`dreamlayer dream`: its options, the pictures it finds, one dream or many, and what it says."""
