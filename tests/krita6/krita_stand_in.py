"""A stand-in for the parts of Krita 6's Python modules that the plug-in uses, with PyQt6.

There is no package of Krita 6 to test in. This is for the plug-in's own Qt code: what only Krita
can do (colours, masks, undo) is not imitated here but tested in real Krita 5.
"""

from __future__ import annotations

import sys
from enum import Enum
from types import ModuleType
from typing import Any

from PyQt6 import QtCore, QtGui, QtWidgets

SRGB = "sRGB-elle-V2-srgbtrc.icc"


class Node:
    """A paint layer in 8-bit sRGB that fills its document."""

    def __init__(self, document: Document, name: str, parent: Node | None = None) -> None:
        self._id = QtCore.QUuid.createUuid()
        self._document, self._name, self._parent = document, name, parent
        self._children: list[Node] = []
        self._locked, self._visible = False, True
        self.pixels = bytes(4 * document.width() * document.height())

    def name(self) -> str:
        return self._name

    def setName(self, name: str) -> None:
        self._name = name

    def type(self) -> str:
        return "paintlayer"

    def uniqueId(self) -> QtCore.QUuid:
        return self._id

    def visible(self) -> bool:
        return self._visible

    def setVisible(self, visible: bool) -> None:
        self._visible = visible

    def opacity(self) -> int:
        return 255

    def setOpacity(self, opacity: int) -> None:
        pass

    def blendingMode(self) -> str:
        return "normal"

    def channels(self) -> list[Any]:
        return []

    def layerStyleToAsl(self) -> str:
        return ""

    def bounds(self) -> QtCore.QRect:
        return QtCore.QRect(0, 0, self._document.width(), self._document.height())

    def position(self) -> QtCore.QPoint:
        return QtCore.QPoint(0, 0)

    def colorModel(self) -> str:
        return "RGBA"

    def colorDepth(self) -> str:
        return "U8"

    def colorProfile(self) -> str:
        return SRGB

    def pixelData(self, *_box: int) -> QtCore.QByteArray:
        return QtCore.QByteArray(self.pixels)

    def setPixelData(self, pixels: bytes, *_box: int) -> None:
        self.pixels = bytes(pixels)

    def parentNode(self) -> Node | None:
        return self._parent

    def childNodes(self) -> list[Node]:
        return list(self._children)

    def addChildNode(self, node: Node, above: Node | None) -> None:
        node._parent = self
        index = self._children.index(above) + 1 if above else len(self._children)
        self._children.insert(index, node)

    def remove(self) -> None:
        if self._parent is not None:
            self._parent._children.remove(self)
            self._parent = None

    def locked(self) -> bool:
        return self._locked

    def setLocked(self, locked: bool) -> None:
        self._locked = locked

    def animated(self) -> bool:
        return False


class Document:
    """A picture of 64 × 48 with one layer, which is active."""

    def __init__(self) -> None:
        self.root = Node(self, "root")
        self.active = Node(self, "Background", self.root)
        self.root.addChildNode(self.active, None)
        self.annotations: dict[str, QtCore.QByteArray] = {}

    def width(self) -> int:
        return 64

    def height(self) -> int:
        return 48

    def rootNode(self) -> Node:
        return self.root

    def activeNode(self) -> Node:
        return self.active

    def nodeByUniqueID(self, uid: QtCore.QUuid) -> Node | None:
        return next((node for node in self.root.childNodes() if node.uniqueId() == uid), None)

    def createNode(self, name: str, _kind: str) -> Node:
        return Node(self, name)

    def colorModel(self) -> str:
        return "RGBA"

    def colorDepth(self) -> str:
        return "U8"

    def colorProfile(self) -> str:
        return SRGB

    def annotation(self, kind: str) -> QtCore.QByteArray:
        return self.annotations.get(kind, QtCore.QByteArray())

    def annotationTypes(self) -> list[str]:
        return list(self.annotations)

    def setAnnotation(self, kind: str, _about: str, content: QtCore.QByteArray) -> None:
        self.annotations[kind] = content

    def removeAnnotation(self, kind: str) -> None:
        self.annotations.pop(kind, None)

    def selection(self) -> None:
        return None

    def waitForDone(self) -> None:
        pass

    def refreshProjection(self) -> None:
        pass


class Notifier(QtCore.QObject):
    """Signals that Krita closes, and changes of its documents and windows."""

    applicationClosing = QtCore.pyqtSignal()
    imageCreated = QtCore.pyqtSignal(object)
    imageClosed = QtCore.pyqtSignal(str)
    viewCreated = QtCore.pyqtSignal(object)
    viewClosed = QtCore.pyqtSignal(object)
    windowCreated = QtCore.pyqtSignal()

    def setActive(self, _active: bool) -> None:
        pass


class Window:
    """Krita's window, with the actions of its menus and its dockers."""

    def __init__(self) -> None:
        self.actions: dict[str, QtGui.QAction] = {}
        self.main = QtWidgets.QMainWindow()
        self.shown: list[QtWidgets.QDockWidget] = []

    def createAction(self, name: str, text: str, _menu: str) -> QtGui.QAction:
        self.actions[name] = QtGui.QAction(text, self.main)
        return self.actions[name]

    def dockers(self) -> list[QtWidgets.QDockWidget]:
        return self.shown

    def activeView(self) -> None:
        return None

    def qwindow(self) -> QtWidgets.QMainWindow:
        return self.main


class Application:
    """Krita itself."""

    def __init__(self) -> None:
        self.settings: dict[tuple[str, str], str] = {}
        self.document: Document | None = None
        self.window = Window()
        self.extensions: list[Any] = []
        self.factories: list[Any] = []
        self._notifier = Notifier()

    def notifier(self) -> Notifier:
        return self._notifier

    def action(self, _name: str) -> None:
        return None

    def activeDocument(self) -> Document | None:
        return self.document

    def documents(self) -> list[Document]:
        return [self.document] if self.document else []

    def activeWindow(self) -> Window:
        return self.window

    def icon(self, _name: str) -> QtGui.QIcon:
        return QtGui.QIcon()

    def readSetting(self, group: str, name: str, default: str) -> str:
        return self.settings.get((group, name), default)

    def writeSetting(self, group: str, name: str, value: str) -> None:
        self.settings[group, name] = value

    def addExtension(self, extension: Any) -> None:
        self.extensions.append(extension)

    def addDockWidgetFactory(self, factory: Any) -> None:
        self.factories.append(factory)


class DockWidget(QtWidgets.QDockWidget):
    """Krita requires subclasses to define `canvasChanged`."""

    def canvasChanged(self, canvas: Any) -> None:
        raise NotImplementedError


class Extension(QtCore.QObject):
    """Base class of the plug-in's extension."""

    def __init__(self, _application: Application) -> None:
        super().__init__()


class DockWidgetFactoryBase:
    """Krita 6 has scoped enums."""

    class DockPosition(Enum):
        """The initial place of a docker."""

        DockRight = 1


class DockWidgetFactory:
    """Creates a docker for each window."""

    def __init__(self, name: str, _place: Any, kind: type) -> None:
        self.name, self.kind = name, kind


def install() -> Application:
    """Make the modules importable; returns what `Krita.instance()` returns."""
    application = Application()
    krita: Any = ModuleType("krita")
    krita.Krita = type("Krita", (), {"instance": staticmethod(lambda: application)})
    krita.Selection = type("Selection", (), {})
    for kind in (DockWidget, DockWidgetFactory, DockWidgetFactoryBase, Extension):
        setattr(krita, kind.__name__, kind)
    pykrita: Any = ModuleType("pykrita")
    pykrita.qt_major_version = lambda: 6
    sys.modules.update({"krita": krita, "pykrita": pykrita})
    return application
