/* The page of a class: draws its example crops. */
import { drawInView, readPictures } from "../training/pictures.js";

drawInView(readPictures());
