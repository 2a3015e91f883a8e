"""Every text on screen, in one place and ready for translation.

Over 300 lines: one list of texts, and nothing else.

Texts of the canvas travel to the browser as one dictionary; everything else is used from Python.
Braces are filled with `str.format`; whoever fills them escapes what people or models wrote. A text
that counts has two forms, which `counted` chooses from.
"""

from __future__ import annotations

from collections.abc import Mapping

from model.counts import Forms
from model.counts import counted as counted
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
LOADING_WHY = "The page is here before its model; what you ask waits for it."
READY = "{name} · {device}"
FAILED = "{name} could not be loaded"
MODEL_TITLE = "About this model"
FACT_SIZE, FACT_MECHANISM, FACT_REGIONS = "Parameters", "Finds places by", "Drawn regions reach it"
FACT_SCORES, FACT_COST, FACT_LICENCE, FACT_SOURCE = "Scores", "Takes here", "Licence", "From"
FACT_MEMORY = "Needs"
MECHANISMS = {
    "queries": "object queries tied to its words",
    "words": "a box for every word",
    "coordinates": "coordinates it writes",
    "retrieval": "a detector that is told names",
    "none": "nothing; join it with a detector",
}
REGIONS_AS_DRAWN, SCORES_NONE, SIZE_UNKNOWN = "as they are drawn", "none", "not told"
COST = "{encode} to read a picture, {ask} to answer"
COST_UNKNOWN = "not measured yet"
MEMORY = "{need:.1f} GB on {device}, of {free:.1f} GB free"
MEMORY_SHORT = "{need:.1f} GB on {device}, where only {free:.1f} GB are free"

STATUS_ENCODING = "reading the picture …"
STATUS_ENCODED = "ready · picture read in {time}"
STATUS_READY = "ready · a click answers in {time}"
STATUS_CLICKED = "ready · click answered in {time}"
STATUS_ANSWERED = "ready · answered in {time}"
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

SPAN_TITLE = "{number} · {label} · {score:.2f}"

CORRECT_LEAD = (
    "Move, resize, rename or delete boxes on the picture, draw what was missed, mend the words. "
    "What you save can teach the model."
)
SAVING_FAILED = "Saving broke off; nothing was lost here. Try again."
SAVED = "Saved. Examples on the shelf: {count}."
QUESTION_EMPTY = "The question is empty; write what the answer replies to."
TEXT_TOO_LONG = "A text has {length} characters; at most {limit} fit. Shorten it."
BOX_UNNAMED = "Box {name} has no label; name it, or link it to words."
CORRECTION_EMPTY = "There is neither an answer nor a box; write or draw one."
NOTHING_TO_SAVE = "There is nothing to save yet; ask something, then correct the answer."
MANY_BOXES = "{count} boxes are drawn; at most {limit} fit an example. Delete some."
BOX_UNREADABLE = "A box could not be read: {given}. Draw it again."
LINK_UNREADABLE = "A link could not be read: {given}. Link the words again."
LINK_OUTSIDE = "A link goes from {start} to {end}, but the text ends at {length}. Link it again."
NO_PLACE = "{given} is no place in a text; link the words again."
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
EXPORT_FOOT = "Made with Deixis. Point at a phrase or a box: the other lights up."
MAKING_FILE = "Making the file …"
EXPORT_FILE = "Your file"
NOTHING_TO_EXPORT = "There is nothing to take home yet; ask something, or save an example."

EDITOR: dict[str, str] = {
    "question": "Question",
    "answer": "Answer",
    "hint": "Select words, then choose their boxes:",
    "links": "Boxes to link the selected words to",
    "renew": "Start over",
    "renew_sure": "Discard changes?",
    "save": "Save as example",
    "saving": "Saving …",
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
    "clear": "Remove all that is drawn",
    "upload": "Picture",
    "upload_title": "Choose a picture; you can also drop or paste one",
    "camera": "Take a photograph",
    "zoom_in": "Zoom in (+)",
    "zoom_out": "Zoom out (−)",
    "fit": "Show the whole picture (0)",
    "empty_title": "Drop a picture here",
    "empty_text": "or paste one, press Picture, or try a sample below",
    "picture_alt": "The picture being talked about",
    "stage": "Picture. Choose a tool, then click or drag; arrow keys go through the boxes, and "
    "Enter points by keyboard.",
    "aim": "Arrows move the cross, with Shift a little; Enter puts it down, with Shift to rule "
    "out; Escape takes it away.",
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
    "all_below": "No box scores that high; lower the threshold to see them.",
    "send": "Ask",
    "play": "Play the words",
    "stop": "Stop",
    "plain": "Show the picture alone",
    "dismiss": "Close this message",
    "found": "{number} of {all}: {label}{score}",
    "none_found": "No boxes",
    "label": "What is it?",
    "asking": STATUS_THINKING,
    "first_question": STARTERS[0],
    "next": "Next ({count})",
    "next_title": "Open the next picture (N)",
    "keys": "Keys: [ and ] go through the boxes, Enter renames, arrows move (Shift: ten pixels), "
    "Delete removes, B draws, Ctrl+Z takes back, Ctrl+Enter saves and goes on, N skips to the next "
    "picture. Choose or drop several pictures to go through them one by one.",
    "marks": "Marks you can refer to",
    "point_kind": "point",
    "box_kind": "box",
    "scribble_kind": "scribble",
    "mask_kind": "brush",
}
"""Texts of the canvas, by the keys its scripts use."""

# --- what is refused -----------------------------------------------------------------------------

PICTURE_EMPTY = "The file is empty; choose a picture."
PICTURE_NO_FILE = "This is not a file; choose a picture."
PICTURE_UNREADABLE = "The picture's file could not be read; send it again."
PICTURE_LONG = (
    "The file has {length:.1f} MB; at most {most:.1f} MB can be sent. Save it as JPEG or make it "
    "smaller."
)
PICTURE_FOREIGN = "This is {kind}; send {allowed}."
PICTURE_DAMAGED = "This {kind} file is damaged or incomplete; save it again and send the new file."
PICTURE_HUGE = "The picture has more than {most:.0f} million pixels; make it smaller."
PICTURE_SMALL = "The picture has {w}×{h} pixels; each side needs at least {least}."
PICTURE_LARGE = (
    "The picture has {w}×{h} = {count:.0f} million pixels; at most {most:.0f} million are allowed. "
    "Make it smaller."
)
PICTURE_NARROW = (
    "The picture has {w}×{h} pixels; its longer side may be at most {ratio:g} times the shorter. "
    "Crop it."
)
PICTURE_SCANS = "This JPEG has more than {most} scans; save it again as an ordinary JPEG."
PICTURE_TILES = "This TIFF file's tiles are larger than a picture; save it as PNG."
PICTURE_SAMPLES = "The picture's samples are of kind {mode}; save it with 8 bits a channel."
MARKS_NO_LIST = "Marks are a list; got {given!r}."
MARK_UNREADABLE = "A mark could not be read: {given!r}."
MARK_LONG = "A mark has more than {most} places; draw it shorter."
BRUSH_UNREADABLE = "A brush mark could not be read ({error}); draw it again."
BRUSH_STROKES = "A brush mark has 1 to {most} strokes; got {count}."
BRUSH_EMPTY = "The brush mark is empty; paint over the thing you mean."
EXAMPLE_GONE = "There is no saved example {identity!r}; reload the list."
EXAMPLE_BLIND = "This example's picture is lost; delete the example."
EXAMPLE_TURNS = "An example has 1 to {most} turns, not {count}."
EXAMPLES_MANY = (
    "{count} example is saved; no more than {most} fits. Delete it first.",
    "{count} examples are saved; at most {most} fit. Delete some first.",
)
EXAMPLES_LARGE = (
    "The saved examples take {used:.0f} MB; at most {most:.0f} MB fit. Delete some first."
)
EXAMPLES_BUSY = "The saved examples are in use; try again in a moment."
EXAMPLES_STUCK = "The saved examples could not be changed: {reason}."
DISK_FULL = "the disk is full"
PHRASE_ASTRAY = "The phrase {phrase!r} is not at its place in the answer; link it again."
STILL_LOADING = "{name} is still loading; ask again in a moment."
MODEL_STOPPED = "The model was stopped before it had an answer; ask again."
NO_ANSWER = "No answer within {seconds:.0f} s; ask something shorter."

PICTURE_KINDS = "JPEG, PNG, WebP, GIF, BMP or TIFF"
PICTURE_ON_WHITE = "Transparent parts are shown white."
PICTURE_FRAME = "Only the first frame is used."
PICTURE_REDUCED = "Reduced from {before} to {after}."
STROKE_PLACES = "a stroke has 1 to {most} places"
NO_FRACTION = "{number} is no place"

# --- at the door ---------------------------------------------------------------------------------

ADMIN_TITLE = "Log in to train and swap models"
ADMIN_TOKEN = "Admin token"
ADMIN_ENTER = "Log in"
ADMIN_BACK = "Back to the picture"
ADMIN_NO_COOKIE = "Open the page first, with cookies allowed."
ADMIN_WRONG = "This is not the admin's token."
TOO_OFTEN = "Too many requests in a minute; wait a little and try again."
REQUEST_LONG = "The request is longer than {most:.1f} MB; send a smaller picture."
REQUEST_SLOW = "The request took more than {seconds} s to arrive; send it again."
REQUEST_CUT = "The request broke off."
REQUEST_ELSEWHERE = "This request came from another site. Open the page itself and try again."
REQUEST_NOWHERE = "There is nothing here."
REQUEST_OTHERS = "This belongs to another person, or is no longer kept. Reload the page."
REQUEST_NO_JSON = "The request is not valid JSON."
REQUEST_KIND = "The request is of type {kind}; send JSON."
REQUEST_KIND_UNKNOWN = "unknown"
REQUEST_MANY = "The request holds more than {most} values; send fewer."
REQUEST_INFINITE = "{name} is {value}; send finite numbers."
REQUEST_VALUE = "A value"

# --- for programs --------------------------------------------------------------------------------

PICTURE_MISSING = "No picture came along; send one as a file."
NO_QUESTION = "The question is empty; ask something."
THRESHOLD_WRONG = "The threshold is {threshold}; scores lie between 0 and 1."
STYLE_WRONG = "There is no style {style}; choose one of {styles}."
NAMES_WRONG = 'The names are {given}; send a list of texts, such as ["dog", "cup"].'
NAMES_COUNT = "{count} names are to be found; send between 1 and {limit}."
ANSWER_FOREIGN = "The answer is not what these endpoints give; send one of theirs unchanged."

# --- serving -------------------------------------------------------------------------------------

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

# --- the Teach tab -------------------------------------------------------------------------------

TEACH_LEAD = (
    "Show the model what it does not know yet: choose pictures with boxes, train for some minutes, "
    "compare before and after, and serve what has become better."
)
TEACH_CLOSED = (
    "Only the owner of this page can teach: it changes what everybody here gets to see. Asking and "
    "correcting work for everyone."
)
TEACH_LOGIN = "Log in as the owner"
TEACH_NO_TOKEN = (
    "The owner has not set a password yet: it is the environment variable DEIXIS_ADMIN_TOKEN, a "
    "secret on a Space."
)
TEACH_STEPS = (
    "1 Choose data",
    "2 Train",
    "3 Before and after",
    "4 Checkpoints",
    "5 Take home",
    "6 Other models",
)

DATA_LABEL = "Data set"
DATA_EMPTY = (
    "No data yet. Upload a ZIP with pictures and boxes (COCO, YOLO, Pascal VOC, JSON lines …), "
    "name a folder on this machine, or correct some answers: what you save under Correct is a data "
    "set at once."
)
DATA_CORRECTIONS = ("My corrections · {count} example", "My corrections · {count} examples")
DATA_CHOICE = ("{name} · {count} picture", "{name} · {count} pictures")
DATA_PENDING = "{name} · importing …"
DATA_FAILED = "{name} · not imported"
DATA_UPLOAD = "Upload a ZIP"
DATA_FOLDER = "A folder on this machine"
DATA_FOLDER_HINT = "Such as data/cells; allowed are: {roots}"
DATA_IMPORT = "Import"
DATA_DELETE = "Delete this data set"
DATA_SURE = "Yes, delete it and the pictures of its runs for good"
DATA_UNKNOWN = "There is no data set {name}; choose one from the list."
DATA_NEEDED = "{name} is being trained on; stop that run first."
DATA_NO_REPORT = "This is no import report: {error}."
DATA_OUTSIDE = "the picture lies outside the data set"
DATA_NONE_CHOSEN = "Choose a data set first."
UPLOAD_NO_ZIP = "This is no ZIP archive; pack pictures and annotations into one."
UPLOAD_FAILED = "The archive could not be kept: {error}."
FOLDER_OUTSIDE = (
    "Only data in these folders can be imported: {roots}. --dataset-roots names others."
)
FOLDER_MISSING = "{path} is not there."
NO_CORRECTIONS = (
    "Nothing has been corrected yet. Ask something under Ask, mend the boxes under Correct, save."
)

IMPORTING = "Importing {name} …"
IMPORT_WAITS = "{name} waits for another import."
PICTURES = ("{count} picture", "{count} pictures")
REPORT_COUNTS: dict[str, Forms] = {
    "boxes": ("{count} box", "{count} boxes"),
    "crowds": ("{count} crowd", "{count} crowds"),
    "outlined objects": ("{count} outlined object", "{count} outlined objects"),
    "poses": ("{count} pose", "{count} poses"),
    "captions": ("{count} caption", "{count} captions"),
    "grounded phrases": ("{count} grounded phrase", "{count} grounded phrases"),
    "expressions": ("{count} expression", "{count} expressions"),
    "turns": ("{count} turn", "{count} turns"),
}
"""What data holds, by the names that an import gives."""
REPORT_SPLITS = {"train": "to learn from", "val": "to choose by", "test": "to judge by"}
REPORT_READ = "read as {format}"
REPORT_CLASS_HEAD = ("class", "#boxes", "#pictures")
REPORT_MORE = "and {count} more"
REPORT_REFUSED = ("{count} row is not used", "{count} rows are not used")
REPORT_LOST = (
    "with refused pictures {count} box went, too",
    "with refused pictures {count} boxes went, too",
)
REPORT_COPIES = (
    "{count} picture is a copy of another; no copy is on both sides.",
    "{count} pictures are copies of others; no copy is on both sides.",
)
REPORT_ROUND_TRIP = "Boxes come back from the model's input within {px:.2f} px."
REPORT_BAD_ROUND_TRIP = (
    "Boxes come back from the model's input {px:.1f} px off; more than 1 px is never trained on."
)
NOT_ENOUGH = "There is no picture to learn from."
SHEET_TITLE = "What the model will be shown"
SHEET_ALT = (
    "A picture of the split {split} as the model is shown it, with {count} box",
    "A picture of the split {split} as the model is shown it, with {count} boxes",
)
CONSENT = "Train on the valid rows only"
CONSENT_MISSING = (
    "{count} row is not used; look at it in step 1, then tick “Train on the valid rows only”.",
    "{count} rows are not used; look at them in step 1, then tick “Train on the valid rows only”.",
)

MODE_LABEL = "What learns"
MODE_CHOICES = (
    ("Automatic: fits the amount of data and this machine", "auto"),
    ("Boxes: only what turns phrases into boxes; fast, forgets least", "decoders"),
    ("Words too: the language model learns a little (LoRA)", "lora"),
    ("Everything: the eyes too; for many pictures and a GPU", "full"),
)
MODE_UNKNOWN = "There is no mode {mode}."
MINUTES_LABEL = "Minutes"
MINUTES_WRONG = "Choose between 1 and {most} minutes."
HARDWARE_GPU = "This machine has a GPU: a few minutes teach a new class."
HARDWARE_CPU = (
    "This machine trains on {count} CPU core: 10 to 20 minutes teach a new class.",
    "This machine trains on {count} CPU cores: 10 to 20 minutes teach a new class.",
)
HARDWARE_ZERO = (
    "ZeroGPU lends its GPU for two minutes at a time: training runs in such bursts, each of which "
    "is saved. When the day's share is used up it stops; Go on later."
)
HARDWARE_ZERO_CPU = (
    "This is ZeroGPU, but its package spaces is missing, so training runs on {count} CPU core: "
    "choose few minutes, and Go on for more.",
    "This is ZeroGPU, but its package spaces is missing, so training runs on {count} CPU cores: "
    "choose few minutes, and Go on for more.",
)
HARDWARE_SPACE = "A Space forgets what was trained when it restarts, unless it has a storage."
EARLIER_NONE = "nothing"
EARLIER_RECORDS = "the records in {name}"
EARLIER_SAME = "{name} is what is taught itself; choose other data, or nothing."
REPLAY = "Mix in, against forgetting"
REPLAY_HINT = "Boxes of what it knows: {path} (--replay), or a data set imported in step 1"
REPLAY_MISSING = (
    "There are no earlier pictures to mix in, so some of what it knew may be forgotten. Import "
    "some in step 1, such as COCO."
)
GENERAL = "Also check general skill on"
GENERAL_HINT = "A few pictures show a collapse, hundreds a point: {path} (--general), or step 1"
GENERAL_MISSING = (
    "There are no earlier pictures to check general skill on, so forgetting would not be seen. "
    "Import some in step 1, such as COCO."
)
MORE = "Name and starting point"
NAME_LABEL = "Name of the new checkpoint"
NAME_HINT = "Empty: named after the data"
NAME_TAKEN = "{name} is taken; choose another name."
START_LABEL = "Begin with"
START = "Start training"
STOP = "Stop and save"
GO_ON = "Go on"
STARTED = "{name} is in the queue."

RUN_EMPTY = (
    "Nothing has been trained yet. Choose data above and press Start training; you can close this "
    "page meanwhile and keep asking questions."
)
RUN_UNKNOWN = "There is no run {name}."
RUN_UNREADABLE = "Run {name} cannot be read: {error}."
RUN_GOES_ON = "Run {name} has not ended; it need not be asked for again."
RUN_NOT_ENDED = "Run {name} has not ended; stop it first."
RUNS_MANY = "{most} runs are waiting already; stop one first."
RUN_NEVER = "Never started."
RUN_POINTLESS = "Never started: what had to be done first did not end well."
RUN_NO_START = "The run could not be started: {error}."
RUN_SAVED = "Stopped; what was learned so far is saved."
RUN_UNSAVED = "Stopped without saving; what was saved before stands."
RUN_GONE = "The process is gone, and nobody saw why."
RUN_TOLD_TO_END = "The process was told to end before it could save."
RUN_SIGNAL = "The process was ended by signal {signal}."
RUN_KILLED = "The process was ended by signal {signal}, perhaps because memory ran out."
RUN_REFUSED = "The run was refused."
RUN_CODE = "The process ended with code {code}."
RUN_LAST_WORDS = "{message} Its last words:\n{log}"
RUN_NO_LOAN = "ZeroGPU lends nothing now: {error}. Go on later."
RUN_NO_NAME = (
    "{name} is no name; use up to 64 letters, digits, '.', '_' and '-', the first a letter or "
    "digit."
)
RUN_NO_VERB = "{verb} is none of {verbs}."
RUN_NO_OPTION = "{name} is no option."
RUN_NO_WORD = "{word} is too long or holds control characters."
RUN_NEEDED = "{name} is needed by a run that has not ended; stop that run first."
RUN_STATES = {
    "waiting": "waits",
    "running": "trains",
    "stopping": "stops and saves",
    "done": "done",
    "stopped": "stopped",
    "failed": "refused",
    "crashed": "crashed",
}
RUN_FROM = "from {parent} on {data}"
RUN_STEP = "step {step:,} of {total:,}"
RUN_LOSS = "loss {loss:.3f}"
RUN_LEFT = "{time} left"
RUN_PREPARING = "reading the pictures once"
RUN_QUEUE = "Waiting: {names}"
RUN_LOG = "Last lines of the log"
RUN_PLAN = "Why these settings"
LOSS_TITLE, VAL_TITLE = "Loss", "On validation pictures"
STEP_AXIS, LOSS_AXIS, VAL_AXIS, MEASURE = "step", "loss", "share", "measure"
SAMPLES_TITLE = "Validation pictures at step {step:,}"
TRUTH, PREDICTION, BEFORE, AFTER = "true", "predicted", "before", "after"
SHOT_ALT = ("{what}: {count} box", "{what}: {count} boxes")
ENLARGED = "The picture enlarged; press Escape to close"

BOARD_EMPTY = (
    "After training, the same pictures are answered by both checkpoints, and you see here what got "
    "better and what got worse."
)
BOARD_COMPARING = "Comparing {after} with {before}: {done} of {whole}"
BOARD_WAITS = "{after} will be compared with {before} when training is done."
BOARD_FAILED = "The comparison did not come about: {message}"
BOARD_TITLE = "{after} against {before}, on {pictures}"
BOARD_SPLITS: dict[str, Forms] = {
    "test": ("{count} held-out picture", "{count} held-out pictures"),
    "val": ("{count} validation picture", "{count} validation pictures"),
}
BOARD_HEAD = ("measure", "#before", "#after", "#change")
BOARD_GENERAL = (
    "General skill, on {count} picture of {data}",
    "General skill, on {count} pictures of {data}",
)
BOARD_MORE = ("{count} more measure", "{count} more measures")
BOARD_NO_GENERAL = "General skill was not checked."
BOARD_SURE, BOARD_UNSURE = "beyond chance", "within chance"
CHANGE = "F1 {before:.2f} → {after:.2f} · {verdict}"
WORSE, BETTER, SAME = "worse", "better", "unchanged"
COMPARE = "Compare again"
NOTHING_SAVED = "{name} has saved nothing yet."
ADOPT_FAILED = "{name} could not be put among the checkpoints: {error}"

SERVE = "Serve this checkpoint"
SERVE_RUN = "Serve {name}"
BACK = "Go back"
BACK_TO = "Go back to {name}"
SERVING_NOW = "{name} answers now."
MODELS_LEAD = (
    "Published models can answer here instead. They are fetched from their hub when first chosen; "
    "what they need is looked at before, and the present one goes on answering meanwhile."
)
MODELS_LABEL = "Published model"
MODELS_ALONE = "Let the present one go first, where both do not fit: nobody is answered meanwhile"
SERVING_LOADING = "{name} is being put in place. {told}"
SERVING_TRIED = "It is being tried on a sample picture."
CHECKPOINTS_LABEL = "Checkpoint"
CHECKPOINTS_HEAD = ("checkpoint", "measured", "from", "#size", "#made")
CHECKPOINT_SERVED = "answers now"
CHECKPOINT_SERVE, CHECKPOINT_DELETE = "Serve", "Delete"
CHECKPOINT_SURE = "Yes, delete it and its training run for good"
TICK_FIRST = "Tick the box below first: what is deleted does not come back."
CHECKPOINT_DELETED = "{name} is deleted."

PACK_LEAD = (
    "A folder that is ready to push, in one ZIP: weights, tokenizer, configuration and a model "
    "card with what was measured."
)
PACK = "Pack as a ZIP"
PACK_FILE = "Download"
PACKING = "{name} is checked and packed …"
PACKED = "{name} is packed."
PACKING_ALREADY = "{name} is being packed already."
PACK_FAILED = "{name} was not packed: {message}"
PUSH_TITLE = "Push to a model hub"
PUSH_LABEL = "Repository"
PUSH_HINT = "OWNER/NAME; made if it is not there"
PUSH = "Pack and push"
PUSH_NAMELESS = "Write where to push to, as OWNER/NAME."
PUSH_NO_TOKEN = (
    "To push, start this page with a token that may write in the environment variable {token} (a "
    "secret on a Space). Nothing else here needs one."
)
NOT_ADMIN = "Only the owner of this page can do this; log in at /admin."


def data_trouble(pictures: Mapping[str, int], round_trip_px: float) -> str:
    """Returns why a data set cannot be trained on."""
    if not pictures.get("train"):
        return NOT_ENOUGH
    return REPORT_BAD_ROUND_TRIP.format(px=round_trip_px)
