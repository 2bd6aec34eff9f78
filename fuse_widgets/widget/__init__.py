"""The widget: the only room that knows ipywidgets and anywidget."""
