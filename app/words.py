"""Every text on screen, in one place and ready for translation.

Texts of the canvas travel to the browser as one dictionary; everything else is used from Python.
Braces are filled with `str.format`; whoever fills them escapes what people or models wrote.
"""

from __future__ import annotations

from model.types import Capability

NAME = "Deixis"
TAGLINE = "Point at something, ask about it, fix it, teach it."

ASK, CORRECT, TEACH = "Ask", "Correct", "Teach"

PLACEHOLDER = "Ask about the picture, or about @1 …"
QUESTION_LABEL = "Your question"
CHAT_LABEL = "Conversation"
EMPTY_CHAT = (
    "**Point at something.**\n\n"
    "Click on the picture and read what is there, or ask in your own words. "
    "Coloured phrases and boxes belong together: touch one and the other lights up."
)
SETTINGS = "Settings"
STYLE_LABEL = "How boxes look"
STYLE_CHOICES = (("Box", "box"), ("Rounded", "rounded"), ("Corners", "corner"))
HEAT_LABEL = "Heat map of the words"

CLICK_QUESTION = "What is @{number}?"
STARTERS = ("Describe this picture.", "Find all people.", "What is in the middle?")

QUICK: tuple[tuple[Capability, str, str], ...] = (
    (Capability.CAPTION, "Describe", "Describe this picture."),
    (Capability.DETECT, "Find all …", "Find all "),
    (Capability.REGION, "What is this?", "What is @{number}?"),
    (Capability.SEGMENT, "Segment", "Segment @{number}."),
    (Capability.POSE, "Pose", "Show the pose of @{number}."),
    (Capability.DENSE, "Everything", "Describe everything you see, one by one."),
)
"""Quick actions in order: what the model must be able to do, the button, the question it asks."""

LOADING = "loading {name} …"
READY = "{name} · {device}"
FAILED = "{name} could not be loaded"
MODEL_TITLE = "{parameters} parameters · {mechanism} · licence {licence} · scores: {scores}"

STATUS_ENCODING = "reading the picture …"
STATUS_ENCODED = "encoded in {ms} ms"
STATUS_ANSWERED = "encoded · answered in {ms} ms"
STATUS_WAITING = "waiting for the model …"
STATUS_THINKING = "looking …"

NO_PICTURE = "Choose a picture first: pick a sample, drop one here, or press Picture."
NO_TEXT = "Type a question first, or click on the picture."
NO_MARK = "Point at something first: click on the picture or draw a box, then press this again."
LONG_TEXT = "The question has {length} characters; at most {limit} can be read. Shorten it."
UNKNOWN_MARK = "There is no {name} on this picture. {remedy}"
MARKS_DRAWN = "Drawn so far: {names}."
NO_MARKS_DRAWN = "Click on the picture to make @1."
OTHER_PICTURE = "The picture has changed meanwhile; point or ask again."
MANY_MARKS = "{count} marks are drawn; at most {limit} can be read. Remove some."
NAMES_MISSING = "Say what to find, for example: Find all dogs, cups."
UNKNOWN_SAMPLE = "That sample is not there any more; choose another one."
UPLOAD_LOST = "The picture did not arrive; send it again."
NOT_LOADED = "The model could not be loaded: {error}"
BROKEN = "Something went wrong while answering. Try again; if it stays, choose another picture."

ABSENT = "Not present"
ABSENT_NAMES = "{names}: not in this picture."
ABSENT_PLAIN = "Nothing in this picture fits."
MISSING_NAMES = "Not present: {names}."
STOPPED = "stopped"
CUT_SHORT = "cut short"
NO_WORDS = "No words came back. Try again or ask differently."
HIDDEN = "{count} below the threshold"

SPAN_TITLE = "{number} · {label} · {score:.2f}"

CORRECT_LEAD = (
    "Move, resize, rename or delete boxes on the picture, draw what was missed, mend the words. "
    "What you save can teach the model."
)
RENEW = "Start over"
SAVE = "Save as example"
SAVED = "Saved. {count} examples on the shelf."
SHELF_TITLE = "Saved examples"
UNTITLED = "picture"
EXPORT = "Take home"
EXPORT_LABEL = "What"
EXPORT_WHAT = (("This conversation", "talk"), ("Saved examples", "saved"))
FORM_LABEL = "As"
EXPORT_FORMS = (
    ("COCO JSON", "coco"),
    ("JSON lines of turns", "jsonl"),
    ("Table of boxes (CSV)", "csv"),
    ("Page that works offline (HTML)", "html"),
    ("The answer on display, drawn (PNG)", "png"),
    ("The answer on display, drawn (JPEG)", "jpeg"),
)
EXPORT_BUTTON = "Make the file"
EXPORT_FILE = "Your file"
NOTHING_TO_EXPORT = "There is nothing to take home yet; ask something, or save an example."

EDITOR: dict[str, str] = {
    "question": "Question",
    "answer": "Answer",
    "hint": "Select words, then choose their boxes:",
    "links": "Boxes to link the selected words to",
}
"""Texts of the caption editor."""

SHELF: dict[str, str] = {
    "reopen": "Open again",
    "remove": "Delete",
    "sure": "Delete?",
    "empty": "Nothing saved yet.",
}
"""Texts of the shelf of saved examples."""

CANVAS: dict[str, str] = {
    "tools": "Drawing tools",
    "select": "Select",
    "select_title": "Select and move (V)",
    "point": "Point",
    "point_title": "Point: click asks, right click or long press rules out (P)",
    "box": "Box",
    "box_title": "Draw a box (B)",
    "scribble": "Scribble",
    "scribble_title": "Draw a line through it (S)",
    "mask": "Brush",
    "mask_title": "Paint over it; right button erases (M)",
    "undo": "Undo (Ctrl+Z)",
    "redo": "Redo (Ctrl+Shift+Z)",
    "clear": "Remove all marks",
    "clear_text": "Clear",
    "upload": "Picture",
    "upload_title": "Choose a picture; you can also drop or paste one",
    "camera": "Take a photograph",
    "zoom_in": "Zoom in (+)",
    "zoom_out": "Zoom out (−)",
    "fit": "Show the whole picture (0)",
    "empty_title": "Drop a picture here",
    "empty_text": "or paste one, press Picture, or try a sample below",
    "picture_alt": "The picture being talked about",
    "stage": "Picture. Choose a tool, then click or drag; arrow keys go through the boxes.",
    "samples": "Try a picture",
    "reading": "Reading the picture …",
    "not_a_picture": "This is not a picture. Send JPEG, PNG, WebP, GIF, BMP or TIFF.",
    "upload_failed": "The picture could not be sent. Check its size and your connection.",
    "what": "What is it?",
    "click_question": "What is @{number}?",
    "segment_question": "Segment @{number}.",
    "pose_question": "Show the pose of @{number}.",
    "rule_out_first": "First click on what you mean; a right click then rules out what it is not.",
    "segment": "Segment",
    "pose": "Pose",
    "remove": "Remove {name} (Delete)",
    "threshold": "Threshold",
    "threshold_title": "Boxes that score less are hidden; the model is not asked again",
    "shown": "{shown} of {all}",
    "boxes": "Boxes of this answer",
    "play": "Play the words",
    "stop": "Stop",
    "plain": "Show the picture alone",
    "dismiss": "Close this message",
    "found": "{number} of {all}: {label}{score}",
    "none_found": "No boxes",
    "label": "What is it?",
    "next": "Next picture ({count})",
    "marks": "Marks you can refer to",
    "point_kind": "point",
    "box_kind": "box",
    "scribble_kind": "scribble",
    "mask_kind": "brush",
}
"""Texts of the canvas, by the keys its scripts use."""

SERVE_LOST = "{name} was served before the restart but could not be loaded: {error}"
SERVE_FAILED = "{name} is not served; everything stays as it was. {error}"
SERVE_ALREADY = "{name} is served already."
SERVE_UNKNOWN = "There is no checkpoint {name}; choose one from the list."
SERVE_BUSY = "{name} is still being loaded; try again in a moment."
BACK_NOWHERE = "Nothing was served before this one."
CANARY_FAILED = "{name} could not answer about a sample picture: {error}"
CANARY_BLIND = (
    "{name} finds nothing in a sample picture, not even with the lowest score; its weights are "
    "probably broken."
)
DELETE_EMBEDDED = "{name} belongs to this page and is never deleted."
DELETE_SERVED = "{name} is being served; serve another one first."
DELETE_FAILED = "{name} could not be deleted: {error}"
