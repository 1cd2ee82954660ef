/* The comments of a study: draws the crop of each. */
import { drawInView, readPictures } from "../shared/pictures.js";

drawInView(readPictures());
