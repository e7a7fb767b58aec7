{
  # CMake is the only build; this target lets node-gyp and npm's conventions reach it.
  "targets": [
    {
      "target_name": "gteway",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["native/CMakeLists.txt"],
          "outputs": ["build/Release/gteway.node"],
          "action": ["npx", "--no-install", "cmake-js", "compile", "-d", "native", "-O", "build"]
        }
      ]
    }
  ]
}
