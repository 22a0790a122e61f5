"""Imports the PyQt version that Krita itself uses; another one in the same process would crash it.

Enum members are written with their scope (`QSocketNotifier.Type.Read`) everywhere: PyQt6 requires
it, and PyQt5 accepts it.
"""

from __future__ import annotations

try:
    from pykrita import qt_major_version  # Krita 5.3 and later

    QT = qt_major_version()
except ImportError:
    QT = 5

if QT == 6:
    from PyQt6 import QtCore, QtGui, QtWidgets
else:
    from PyQt5 import QtCore, QtGui, QtWidgets

__all__ = ["QT", "QtCore", "QtGui", "QtWidgets"]
