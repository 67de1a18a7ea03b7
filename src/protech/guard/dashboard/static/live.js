// Shows the page anew when its state changes: the server says so over a socket.
const shown = document.body.dataset.state;
const socket = new WebSocket(`ws://${location.host}/live`);
socket.addEventListener("message", (event) => {
  if (event.data !== shown && !document.activeElement?.matches("button, summary, a")) {
    location.reload();
  }
});
