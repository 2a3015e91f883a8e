"""Class names of the label spaces, in their official order, and other words for the same things.

A word may stand for two classes where English does so ("bike"). Matching text against these words
is `model.naming`; here are only the words.
"""

from __future__ import annotations

COCO_NAMES: tuple[str, ...] = (
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
)
"""The 80 detection classes of COCO 2017, in the order of their category ids."""

VOC_NAMES: tuple[str, ...] = (
    "airplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "dining table",
    "dog",
    "horse",
    "motorcycle",
    "person",
    "potted plant",
    "sheep",
    "couch",
    "train",
    "tv",
)
"""The 20 classes of Pascal VOC in its order, written as COCO writes them."""

LABEL_SPACES: dict[str, tuple[str, ...]] = {"coco80": COCO_NAMES, "voc20": VOC_NAMES, "none": ()}
"""The names that a record's `label_space` stands for."""

GROUPS: dict[str, tuple[str, ...]] = {
    "animal": COCO_NAMES[14:24],
    "vehicle": COCO_NAMES[1:9],
    "food": COCO_NAMES[46:56],
}
"""Words for several classes."""

PERSON_WORDS: tuple[str, ...] = (
    *("man", "woman", "boy", "girl", "child", "kid", "baby", "toddler", "infant", "teenager"),
    *("adult", "guy", "lady", "gentleman", "male", "female", "people", "human", "individual"),
    *("persons", "someone", "somebody", "crowd", "family", "mother", "father", "mom", "dad"),
    *("son", "daughter", "brother", "sister", "husband", "wife", "bride", "groom", "friend"),
    *("player", "batter", "pitcher", "catcher", "umpire", "skier", "snowboarder", "surfer"),
    *("skateboarder", "skater", "rider", "cyclist", "biker", "motorcyclist", "pedestrian"),
    *("driver", "worker", "policeman", "officer", "cop", "fireman", "soldier", "chef", "cook"),
    *("waiter", "waitress", "student", "teacher", "cowboy", "athlete", "spectator", "jockey"),
    *("passenger", "customer", "vendor", "businessman", "doctor", "nurse", "farmer", "clown"),
)
"""Words that name a person, singular unless they have none."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "person": PERSON_WORDS,
    "bicycle": ("bike", "mountain bike", "road bike", "cycle", "tricycle"),
    "car": ("automobile", "van", "minivan", "sedan", "suv", "jeep", "taxi", "cab", "limousine"),
    "motorcycle": ("motorbike", "motor bike", "bike", "scooter", "moped", "motor cycle"),
    "airplane": ("plane", "aeroplane", "aircraft", "jet", "jetliner", "airliner", "biplane"),
    "bus": ("double decker", "minibus", "trolley", "coach"),
    "train": ("locomotive", "tram", "subway", "railcar", "streetcar"),
    "truck": ("pickup", "pickup truck", "lorry", "semi", "fire truck", "firetruck", "dump truck"),
    "boat": ("ship", "sailboat", "canoe", "kayak", "yacht", "ferry", "rowboat", "speedboat"),
    "traffic light": ("stoplight", "stop light", "traffic signal", "street light", "signal"),
    "fire hydrant": ("hydrant",),
    "stop sign": ("sign", "street sign"),
    "parking meter": ("meter",),
    "bench": ("park bench", "pew"),
    "bird": (
        *("duck", "goose", "seagull", "gull", "pigeon", "parrot", "eagle", "owl", "swan", "hen"),
        *("chicken", "rooster", "crow", "pelican", "parakeet", "ostrich"),
    ),
    "cat": ("kitten", "kitty"),
    "dog": ("puppy", "pup", "poodle", "terrier", "bulldog", "labrador", "dachshund"),
    "horse": ("pony", "foal", "colt", "mare", "stallion"),
    "sheep": ("lamb", "ram", "ewe", "goat"),
    "cow": ("bull", "calf", "ox", "cattle", "steer", "heifer", "bison", "buffalo"),
    "elephant": ("baby elephant",),
    "bear": ("polar bear", "grizzly", "brown bear", "black bear", "panda", "bear cub"),
    "backpack": ("back pack", "rucksack", "knapsack", "pack"),
    "umbrella": ("parasol",),
    "handbag": ("hand bag", "purse", "tote", "shoulder bag", "bag"),
    "tie": ("necktie", "neck tie", "bow tie", "bowtie"),
    "suitcase": ("luggage", "suit case", "briefcase", "baggage"),
    "frisbee": ("frisbe", "frizbee", "disc", "flying disc"),
    "skis": ("ski",),
    "snowboard": ("snow board",),
    "sports ball": ("ball", "baseball", "basketball", "football", "volleyball", "tennis ball"),
    "baseball bat": ("bat",),
    "baseball glove": ("glove", "mitt", "baseball mitt", "catcher's mitt"),
    "skateboard": ("skate board", "longboard"),
    "surfboard": ("surf board", "paddleboard", "paddle board", "boogie board", "bodyboard"),
    "tennis racket": ("racket", "racquet", "tennis racquet"),
    "bottle": ("wine bottle", "beer bottle", "water bottle"),
    "wine glass": ("wineglass", "champagne glass", "goblet", "glass of wine"),
    "cup": ("mug", "coffee cup", "teacup", "coffee mug", "glass", "drinking glass", "tumbler"),
    "knife": ("butter knife", "blade"),
    "bowl": ("soup bowl",),
    "sandwich": ("burger", "hamburger", "cheeseburger", "sub", "panini", "wrap"),
    "orange": ("tangerine", "mandarin", "clementine"),
    "hot dog": ("hotdog",),
    "donut": ("doughnut",),
    "cake": ("cupcake", "cheesecake", "birthday cake"),
    "chair": ("armchair", "stool", "seat", "recliner", "office chair", "rocking chair"),
    "couch": ("sofa", "loveseat", "love seat", "settee", "futon"),
    "potted plant": ("plant", "houseplant", "flowerpot", "flower pot", "pot plant"),
    "bed": ("mattress", "bunk bed"),
    "dining table": ("table", "desk", "dinner table", "kitchen table", "coffee table"),
    "toilet": ("urinal", "commode"),
    "tv": ("television", "television set", "tv screen", "monitor", "screen", "tvmonitor"),
    "laptop": ("laptop computer", "computer", "notebook computer", "netbook", "macbook"),
    "mouse": ("computer mouse",),
    "remote": ("remote control", "controller", "game controller", "wii remote", "wiimote"),
    "keyboard": ("computer keyboard",),
    "cell phone": ("phone", "cellphone", "mobile phone", "smartphone", "smart phone", "iphone"),
    "microwave": ("microwave oven",),
    "oven": ("stove", "stovetop", "range"),
    "toaster": ("toaster oven",),
    "sink": ("washbasin", "basin"),
    "refrigerator": ("fridge", "freezer"),
    "book": ("novel", "magazine", "textbook"),
    "clock": ("clock tower", "alarm clock"),
    "vase": ("flower vase",),
    "scissors": ("scissor", "shears"),
    "teddy bear": ("teddy", "stuffed bear", "stuffed animal", "plush bear"),
    "hair drier": ("hair dryer", "hairdryer", "blow dryer", "hairdrier"),
    "toothbrush": ("tooth brush",),
}
"""Other words for a class, singular; plurals are formed by rule or stand in IRREGULAR_PLURALS."""

IRREGULAR_PLURALS: dict[str, str] = {
    "man": "men",
    "woman": "women",
    "gentleman": "gentlemen",
    "policeman": "policemen",
    "fireman": "firemen",
    "businessman": "businessmen",
    "child": "children",
    "person": "people",
    "people": "people",
    "goose": "geese",
    "sheep": "sheep",
    "cattle": "cattle",
    "ox": "oxen",
    "calf": "calves",
    "aircraft": "aircraft",
    "luggage": "luggage",
    "baggage": "baggage",
    "knife": "knives",
    "skis": "skis",
    "scissors": "scissors",
    "shears": "shears",
    "broccoli": "broccoli",
    "mouse": "mice",
    "bus": "buses",
}
"""Plurals of last words that no rule forms; a word without its own plural stands for itself."""


def plural(name: str) -> str:
    """Returns the plural of a class name or synonym, by its last word.

    Example:
        >>> plural("wine glass"), plural("teddy bear"), plural("butter knife")
        ('wine glasses', 'teddy bears', 'butter knives')
    """
    head, _, last = name.rpartition(" ")
    return f"{head} {_plural_of_word(last)}".strip()


def _plural_of_word(word: str) -> str:
    if word in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[word]
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"
