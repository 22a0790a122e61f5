"""`dreamlayer film`: its options, the shots it dreams, and the film it puts together."""
