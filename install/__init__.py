"""The set-up commands: install.py installs, test.py tests, archives/ is what people download."""
