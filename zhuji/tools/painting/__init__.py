"""Painting over copies of pictures: answers, boxes, heat; by Pillow."""
