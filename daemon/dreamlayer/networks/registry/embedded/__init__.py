"""Networks that are part of Dreamlayer: how their files were made, and what torchvision lacks."""
