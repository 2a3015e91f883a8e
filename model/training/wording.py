"""How people ask: at least ten wordings a task, so that nobody needs to know a template."""

from __future__ import annotations

import re

REFER = (
    "Find {}.", "Show me {}.", "Point to {}.", "Where exactly is {}? Show me.", "Locate {}.", "{}",
    "Which one is {}?", "Can you see {}?", "Put a box around {}.", "I am looking for {}.",
    "Highlight {}.", "Select {}.",
)  # fmt: skip
FIND_ALL = (
    "Find all {}.", "Find every {}.", "Detect {}.", "Show all {}.", "Where are the {}?",
    "Mark each {}.", "Box every {}.", "Locate all {}.", "Show me every {}.", "Point to all {}.",
)  # fmt: skip
REGION = (
    "What is @1?", "What is this? @1", "@1", "Name @1.", "What do you see in @1?",
    "What kind of thing is @1?", "Tell me what @1 is.", "What am I pointing at? @1",
    "Identify @1.", "What object is @1?", "What's @1?", "What is in @1?",
)  # fmt: skip
DESCRIBE_REGION = (
    "Describe @1.", "Describe @1 in a few words.", "What does @1 look like?",
    "Say more about @1.", "How would you call @1?", "Give a phrase for @1.",
    "Describe the thing in @1.", "Tell me about @1.", "Caption @1.", "Refer to @1 in words.",
)  # fmt: skip
TWO_REGIONS = (
    "What are @1 and @2?", "Name @1 and @2.", "What do @1 and @2 show?", "Identify @1 and @2.",
    "Tell me what @1 and @2 are.", "@1 and @2: what are they?", "Compare @1 and @2.",
    "What is @1 and what is @2?", "Which things are @1 and @2?", "Describe @1 and @2.",
)  # fmt: skip
CAPTION = (
    "Describe this picture.", "What is in the picture?", "Describe the image.", "Caption this.",
    "What do you see?", "What is happening here?", "Tell me about this photo.",
    "Give a short description.", "What does the picture show?", "Say what you see.",
    "Describe the scene.", "Write a caption.",
)  # fmt: skip
PLAIN_CAPTION = (
    "Describe this picture without boxes.", "Caption this in words only.", "Just a caption.",
    "Words only: what is in the picture?", "Describe the scene, no boxes.",
    "A caption without boxes, please.", "Only describe it.", "In plain words, what do you see?",
    "Plain caption.", "Say what you see, no boxes.",
)  # fmt: skip
SEGMENT = (
    "Segment @1.", "Cut out @1.", "Give me the mask of @1.", "Outline @1.", "Mask @1.",
    "Segment the thing in @1.", "Draw the outline of @1.", "Where exactly is @1? Segment it.",
    "Separate @1 from the background.", "Show the pixels of @1.",
)  # fmt: skip
POSE = (
    "Show the pose of @1.", "What is the pose of @1?", "Draw the skeleton of @1.",
    "Key points of @1.", "Mark the joints of @1.", "Find the body parts of @1.",
    "Estimate the pose of @1.", "Where are the arms and legs of @1?", "Skeleton of @1, please.",
    "Show me the key points of @1.",
)  # fmt: skip
COUNT = (
    "How many {} are there?", "How many {}?", "Count the {}.", "What number of {} is there?",
    "How many {} can you see?", "Number of {}?", "Tell me how many {} there are.",
    "How many {} are in the picture?", "Count all {}.", "Can you count the {}?",
)  # fmt: skip
IS_THERE = (
    "Is there a {} in the picture?", "Is there any {}?", "Do you see a {}?", "Any {}?",
    "Does the picture show a {}?", "Can you see a {} here?", "Is a {} visible?",
    "Is there a {}?", "Does this photo have a {}?", "Is there any {} here?",
)  # fmt: skip
WHAT_GROUP = (
    "What {} is in the picture?", "What {} is this?", "Which {} is here?", "Which {} do you see?",
    "What kind of {} is in the picture?", "What sort of {} is this?", "Name the {}.",
    "Tell me which {} is in the picture.", "What {} can you see?", "Say what {} this is.",
)  # fmt: skip
COLOUR_NAMED = (
    "What colour is the {} wearing?", "What color is the {} wearing?", "What does the {} wear?",
    "Which colour is the {} in?", "What colour are the clothes of the {}?",
    "What colour is the {}'s clothing?", "What colour shirt does the {} have?",
    "Colour of the {}'s clothes?", "What is the {} dressed in?", "What color is the {} dressed in?",
)  # fmt: skip
SIDE_NAMED = (
    "Is the {} to the {side} of the {}?", "Is the {} {side} of the {}?",
    "Is the {} on the {side} of the {}?", "Is the {} further {side} than the {}?",
    "Does the {} stand to the {side} of the {}?", "Do you see the {} to the {side} of the {}?",
    "Can I find the {} {side} of the {}?", "Is it true that the {} is {side} of the {}?",
    "The {} is {side} of the {}, true or not?", "Is the {} more to the {side} than the {}?",
)  # fmt: skip
WHICH_SIDE = (
    "Which is further {side}, the {} or the {}?", "Which one is further {side}, the {} or the {}?",
    "What is more to the {side}, the {} or the {}?", "Is the {} or the {} further {side}?",
    "Which is on the {side}, the {} or the {}?", "What is further {side}: the {} or the {}?",
    "{side}most, the {} or the {}?", "Who is more to the {side}, the {} or the {}?",
    "Out of the {} and the {}, which is further {side}?", "Further {side}: the {} or the {}?",
)  # fmt: skip
PLACE_NAMED = (
    "Where is {}?", "Where in the picture is {}?", "Where do you see {}?", "Where can I find {}?",
    "In which part of the picture is {}?", "Whereabouts is {}?", "Tell me where {} is.",
    "Can you tell me where {} is?", "What is the position of {}?", "Say where {} is.",
)  # fmt: skip
FOLLOW_PLACE = (
    "Where is it?", "And where is it?", "Where in the picture?", "Whereabouts?",
    "In which part of the picture is it?", "Where is @1?",
)  # fmt: skip
FOLLOW_COUNT = (
    "How many of them are there?", "How many are there?", "How many?", "Count them.",
    "How many of those do you see?", "And how many in all?",
)  # fmt: skip
FOLLOW_MORE = (
    "Are there more?", "Is there another one?", "Any others?", "Are there any more of them?",
    "Is there one more?", "Do you see another?",
)  # fmt: skip
FOLLOW_OTHERS = (
    "Show me the others.", "Where are the others?", "Find the others.", "Point to the others.",
    "Mark the other ones.", "And the rest?",
)  # fmt: skip
FOLLOW_MASK = (
    "Segment it.", "Cut it out.", "Give me its mask.", "Outline it.", "Draw its outline.",
    "Segment @1.",
)  # fmt: skip
FOLLOW_COLOUR = (
    "What colour are its clothes?", "What is it wearing?", "What colour is it wearing?",
    "And the colour of the clothes?", "Which colour do they wear?", "What color does @1 wear?",
)  # fmt: skip
FOLLOW_DESCRIBE = (
    "Describe it.", "Tell me more about it.", "What does it look like?", "Say more.",
    "Can you describe it?", "Describe @1.",
)  # fmt: skip
COLOUR = (
    "What colour is the clothing of @1?", "What color does @1 wear?", "Which colour is @1 wearing?",
    "What colour is the top of @1?", "Colour of the clothes of @1?", "What color is @1 in?",
    "What is @1 dressed in?", "What colour shirt does @1 have?", "Say the colour @1 wears.",
    "Which color are the clothes of @1?",
)  # fmt: skip
SIDE = (
    "Is @1 left or right of @2?", "Is @1 to the left or to the right of @2?",
    "On which side of @2 is @1?", "Which side of @2 is @1 on?", "Where is @1 relative to @2?",
    "@1 is on which side of @2?", "Left or right: where is @1 from @2?",
    "Tell me the side of @2 that @1 is on.", "Seen from @2, is @1 left or right?",
    "Is @1 on the left or the right of @2?",
)  # fmt: skip
PLACE = (
    "Where in the picture is @1?", "In which part of the picture is @1?", "Where is @1?",
    "Whereabouts is @1?", "Which part of the image holds @1?", "What is the position of @1?",
    "Say where @1 is.", "Describe the position of @1.", "Locate @1 in words.",
    "In what part of the photo is @1?",
)  # fmt: skip
OFF_TOPIC = (
    "What is the capital of France?", "What will happen tomorrow?", "What is the name of @1?",
    "Who took this photo?", "How much does it cost?", "What day is it?", "Write me a poem.",
    "What are they thinking?", "How old is the person?", "What is two plus two?",
    "Where was this picture taken?", "Why?",
)  # fmt: skip
UNKNOWN = "I can't tell."
NOT_PRESENT = "Not present."

_SIDES = {
    "left": "right", "right": "left", "leftmost": "rightmost", "rightmost": "leftmost",
}  # fmt: skip
_SIDE = re.compile(r"\b(leftmost|rightmost|left|right)\b", re.IGNORECASE)


def mentions_side(text: str) -> bool:
    """Whether the text says left or right."""
    return _SIDE.search(text) is not None


def swap_sides(text: str) -> str:
    """Returns the text for the mirrored picture: left and right change places."""
    return _SIDE.sub(lambda match: _SIDES[match.group().lower()], text)
