// What every page may use: partial updates by htmx, the switch between light and dark, live values.
//
// Must never: be needed to read a page.

import htmx from "htmx.org";
import { follow } from "./live.js";
import { limitFiles } from "./files.js";
import { theme } from "./switch.js";
import { followComment } from "./comment.js";

// Views that are swapped in keep the reader where they are; nothing is evaluated.
htmx.config.transitions = false;

theme();
follow();
limitFiles();
followComment();
